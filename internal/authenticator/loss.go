package authenticator

// Demand is what a stage wants people to have, of those who confirm there.
type Demand struct {
	// Classes are the kinds that it takes, Options those of which a kind knows
	// whether a device of its own counts.
	Classes []string
	Options Options
	// Without is what becomes of people who have no device that counts.
	Without Loss
}

// Demanding is offered by configurations of stages at which people confirm.
type Demanding interface{ Demand() Demand }

// Usable is a Kind of which some devices cannot answer, or not at every stage.
type Usable interface {
	Kind
	// Usable tells whether the device can, with the options of the stage.
	Usable(d *Device, o Options) (bool, error)
}

// Loss is what becomes of signing in once somebody has no device any more; a greater
// one is worse.
type Loss int

const (
	// Spared means that they sign in without one.
	Spared Loss = iota
	// Due means that they have to set one up first.
	Due
	// ShutOut means that they cannot sign in.
	ShutOut
)

// recoveryClass is that of recovery codes, which run out: they are no device to rely
// on.
const recoveryClass = "static"

// Lasting tells whether a device goes on answering: recovery codes do not.
func (d *Device) Lasting() bool { return d.Class != recoveryClass }

// Loss tells what somebody who has the devices loses at the stage with the one that
// has the id. Where people without a device cannot sign in, one that lasts has to
// remain.
func (m Demand) Loss(kinds []Kind, devices []Device, id int64) (Loss, error) {
	var lost *Device
	left, lasting := 0, 0
	for i := range devices {
		d := &devices[i]
		counts, err := m.takes(kinds, d)
		switch {
		case err != nil:
			return ShutOut, err
		case !counts:
		case d.ID == id:
			lost = d
		default:
			if left++; d.Lasting() {
				lasting++
			}
		}
	}
	if lost == nil || lasting > 0 || left > 0 && (m.Without != ShutOut || !lost.Lasting()) {
		return Spared, nil
	}
	return m.Without, nil
}

// takes tells whether the stage lets the device answer.
func (m Demand) takes(kinds []Kind, d *Device) (bool, error) {
	for _, class := range m.Classes {
		if class != d.Class || !d.Confirmed {
			continue
		}
		for _, k := range kinds {
			if k.Type().Class != class {
				continue
			}
			if u, ok := k.(Usable); ok {
				return u.Usable(d, m.Options)
			}
			return true, nil
		}
	}
	return false, nil
}
