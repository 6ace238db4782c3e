package field

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// rules are the tag words that the decoders of values obey.
type rules struct {
	blank, notrim, slug bool
	ref                 bool
	min, max            *int64
	choices             []string
}

// member is one field of a struct, with everything that does not depend on
// the value.
type member struct {
	Spec
	rules
	index  []int
	typ    reflect.Type
	decode decoder
	del    string
}

// decoder fills dst, a zero value of its type, from raw, which is not nil.
type decoder func(r *rules, dst reflect.Value, raw any) []Error

type layout struct {
	fields []*member
	byName map[string]*member
}

// layouts remembers what reflection found, as encoding/json does: stage
// responses are decoded on every POST.
var layouts sync.Map // reflect.Type -> *layout

func layoutOf(t reflect.Type) *layout {
	if l, ok := layouts.Load(t); ok {
		return l.(*layout)
	}
	l := &layout{byName: map[string]*member{}}
	l.collect(t, nil)
	for _, m := range l.fields {
		if l.byName[m.Name] != nil {
			panic(fmt.Sprintf("field: %v has two fields called %q", t, m.Name))
		}
		l.byName[m.Name] = m
	}
	stored, _ := layouts.LoadOrStore(t, l)
	return stored.(*layout)
}

func (l *layout) collect(t reflect.Type, prefix []int) {
	for i := range t.NumField() {
		sf := t.Field(i)
		index := append(append([]int(nil), prefix...), i)
		name, _, _ := strings.Cut(sf.Tag.Get("json"), ",")
		if sf.Anonymous && name == "" && sf.Type.Kind() == reflect.Struct {
			l.collect(sf.Type, index)
			continue
		}
		if name == "" || name == "-" || !sf.IsExported() {
			continue
		}
		l.fields = append(l.fields, newMember(t, sf, name, index))
	}
}

func newMember(t reflect.Type, sf reflect.StructField, name string, index []int) *member {
	m := &member{index: index, typ: sf.Type}
	m.Name = name
	m.readTag(t, sf)
	elem := sf.Type
	for elem.Kind() == reflect.Pointer || (elem.Kind() == reflect.Slice && elem.Elem().Kind() != reflect.Uint8) {
		elem = elem.Elem()
	}
	if c, ok := reflect.Zero(elem).Interface().(interface{ Choices() []string }); ok {
		m.choices = c.Choices()
		m.Enum = m.choices
	}
	m.Spec.Min, m.Spec.Max, m.Spec.Slug, m.Spec.Blank = m.rules.min, m.rules.max, m.rules.slug, m.rules.blank
	var err error
	if m.decode, err = decoderFor(sf.Type); err != nil {
		panic(fmt.Sprintf("field: %v.%s: %v", t, sf.Name, err))
	}
	m.describe(sf.Type)
	if m.Ref != "" && m.del == "" {
		m.del = Cascade
		if k := sf.Type.Kind(); k == reflect.Pointer || k == reflect.Slice && sf.Type.Elem().Kind() != reflect.Uint8 {
			m.del = Null
		}
	}
	return m
}

func (m *member) readTag(t reflect.Type, sf reflect.StructField) {
	for word := range strings.SplitSeq(sf.Tag.Get("field"), ",") {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "":
		case "required":
			m.Required = true
		case "blank":
			m.rules.blank = true
		case "null":
			m.Nullable = true
		case "notrim":
			m.notrim = true
		case "slug":
			m.rules.slug = true
		case "unique":
			m.Unique = true
		case "readonly":
			m.ReadOnly = true
		case "secret":
			m.Secret = true
		case "hidden":
			m.Hidden, m.ReadOnly = true, true
		case "grants":
			m.Grants = true
		case "file":
			m.File = true
		case "default":
			m.ShowDefault = true
		case "format":
			m.Format = value
		case "ref":
			m.Ref, m.ref = value, true
		case "delete":
			m.del = value
		case "min", "max":
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				panic(fmt.Sprintf("field: %v.%s: %v", t, sf.Name, err))
			}
			if key == "min" {
				m.rules.min = &n
			} else {
				m.rules.max = &n
			}
		default:
			panic(fmt.Sprintf("field: %v.%s: unknown tag word %q", t, sf.Name, word))
		}
	}
}

var (
	uuidType    = reflect.TypeFor[uuid.UUID]()
	timeType    = reflect.TypeFor[time.Time]()
	decoderType = reflect.TypeFor[Decoder]()
)

// decoderFor picks the decoder of a Go type.
func decoderFor(t reflect.Type) (decoder, error) {
	switch {
	case t.Kind() == reflect.Pointer:
		return pointerDecoder(t)
	case reflect.PointerTo(t).Implements(decoderType):
		return decodeCustom, nil
	case t == uuidType:
		return decodeUUID, nil
	case t == timeType:
		return decodeTime, nil
	}
	switch t.Kind() {
	case reflect.String:
		return decodeString, nil
	case reflect.Bool:
		return decodeBool, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return decodeInt, nil
	case reflect.Float64:
		return decodeFloat, nil
	case reflect.Slice:
		return sliceDecoder(t)
	case reflect.Map:
		return mapDecoder(t)
	case reflect.Struct:
		return decodeStruct, nil
	case reflect.Interface:
		if t.NumMethod() == 0 {
			return decodeAny, nil
		}
	}
	return nil, fmt.Errorf("no decoder for type %v", t)
}
