package field

import (
	"bytes"
	"encoding/json"
	"testing"
)

// FuzzDuration looks for texts that become lengths of time out of proportion.
func FuzzDuration(f *testing.F) {
	for _, s := range []string{"", "seconds=0", "hours=1;minutes=30", "days=-1", "weeks=1e300", "hours=1e308;hours=-1e308", "x=1", "hours", " HOURS = 2 ;;", "hours=nan"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var d Duration
		if err := d.DecodeField(s); err != nil {
			if d != "" {
				t.Errorf("%q is refused and kept as %q", s, d)
			}
			return
		}
		var again Duration
		if err := again.DecodeField(d.String()); err != nil || again.Duration() != d.Duration() {
			t.Errorf("%q is %v, and %v when it is read again (%v)", s, d.Duration(), again.Duration(), err)
		}
		var opposite Duration
		if err := opposite.DecodeField("hours=0;" + s); err != nil || opposite.Duration() != d.Duration() {
			t.Errorf("%q is %v, and %v with no hours before it (%v)", s, d.Duration(), opposite.Duration(), err)
		}
	})
}

// FuzzDecode decodes objects into a document. What is taken comes out again,
// and what is refused has a reason.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{}`, `{"name":"a"}`, `{"name":1,"slug":"x-1","on":"yes","count":"-5","small":255,"ratio":"1e-9","colour":"red","colours":["red","green"]}`,
		`{"owner":7,"flow":"11111111-1111-4111-8111-111111111111","stages":[],"life":"hours=1","attrs":{"a":[null,{"b":1e400}]},"anything":[1],"parts":[{"label":"x","size":1.5}]}`,
		`{"name":null,"parts":{},"attrs":[],"when":"now","secret":"s","\u0000":1,"count":9223372036854775808}`, `{"name":"\ud800","count":1e999999999,"ratio":"inf"}`} {
		f.Add([]byte(s), false)
	}
	f.Fuzz(func(t *testing.T, raw []byte, update bool) {
		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.UseNumber()
		var data map[string]any
		if decoder.Decode(&data) != nil {
			return
		}
		mode := Create
		if update {
			mode = Update
		}
		d := &document{common: common{Name: "n"}, Colour: "red"}
		if _, errs := Decode(d, data, mode); errs != nil {
			for name, list := range errs {
				if len(list) == 0 || list[0].String == "" || list[0].Code == "" {
					t.Errorf("%q is refused without a reason: %v", name, list)
				}
			}
			return
		}
		if d.Count < -5 || d.Ratio > 1 || len(d.Colours) > 2 || len([]rune(d.Name)) > 10 || d.hidden != 0 {
			t.Errorf("the limits are broken: %+v", d)
		}
		wire, err := json.Marshal(Encode(d, 0))
		if err != nil {
			t.Fatalf("%+v cannot be written: %v", d, err)
		}
		var again map[string]any
		if err := json.Unmarshal(wire, &again); err != nil {
			t.Fatal(err)
		}
		if _, errs := Decode(&document{}, again, Update); errs != nil {
			t.Errorf("%s is refused when it comes back: %v", wire, errs)
		}
	})
}
