package config

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"
)

// EnvPrefix begins every environment variable of ours.
const EnvPrefix = "WEIR_"

// Sources says where settings come from.
type Sources struct {
	// File is the path of a YAML file; empty for none.
	File string
	// Environ returns the environment; os.Environ when nil.
	Environ func() []string
	// Flags are the flags that were given, by setting key.
	Flags map[string]string
}

// Load reads the settings. The error joins every problem that was found, none
// of which repeats a secret. Warnings are texts for the log.
func Load(s Sources) (c Config, warnings []string, err error) {
	l := loader{settings: map[string]Setting{}, merged: koanf.New("."), origin: map[string]string{}}
	for _, known := range Settings() {
		l.settings[known.Key] = known
	}
	if s.File != "" {
		l.file(s.File)
	}
	l.environment(s.Environ)
	for key, v := range s.Flags {
		l.put("--"+strings.ReplaceAll(key, "_", "-"), key, v)
	}
	c = l.config()
	if (c.TLS.Certificate == "") != (c.TLS.Key == "") {
		l.problem("tls_cert, tls_key", errors.New("give both or neither"))
	}
	return c, l.warnings, errors.Join(l.problems...)
}

type loader struct {
	settings map[string]Setting
	merged   *koanf.Koanf
	// origin is how the value that won was spelt where it came from.
	origin   map[string]string
	problems []error
	warnings []string
}

func (l *loader) problem(name string, err error) {
	l.problems = append(l.problems, fmt.Errorf("%s: %w", name, err))
}

// put stores a value under its key. The key of a secret with the ending _file
// names a file that holds the value.
func (l *loader) put(name, key string, v any) (known bool) {
	if base, isFile := strings.CutSuffix(key, "_file"); isFile && l.settings[base].Secret {
		data, err := os.ReadFile(fmt.Sprint(v))
		if err != nil {
			l.problem(name, err)
			return true
		}
		// Editors end a file with a line break that is no part of a secret.
		key, v = base, strings.TrimRight(string(data), "\r\n")
	}
	if _, ok := l.settings[key]; !ok {
		return false
	}
	text, err := scalar(v)
	if err == nil {
		err = l.merged.Set(key, text)
	}
	if err != nil {
		l.problem(name, err)
	}
	l.origin[key] = name
	return true
}

func (l *loader) file(path string) {
	k := koanf.New("\x00") // keys are flat: no delimiter splits them
	if err := k.Load(file.Provider(path), yaml.Parser()); err != nil {
		l.problem("settings file "+path, err)
		return
	}
	raw := k.Raw()
	for _, key := range sortedKeys(raw) {
		if _, both := raw[key+"_file"]; both {
			l.problem(path+": "+key, fmt.Errorf("give either %s or %s_file", key, key))
		}
		if !l.put(path+": "+key, key, raw[key]) {
			l.problem(path+": "+key, l.unknown(key))
		}
	}
}

func (l *loader) environment(environ func() []string) {
	k := koanf.New("\x00")
	// The provider only fails when it is misused.
	if err := k.Load(env.Provider("\x00", env.Opt{Prefix: EnvPrefix, EnvironFunc: environ}), nil); err != nil {
		l.problem("environment", err)
		return
	}
	raw := k.Raw()
	for _, name := range sortedKeys(raw) {
		if _, both := raw[name+"_FILE"]; both {
			l.problem(name, fmt.Errorf("give either %s or %s_FILE", name, name))
		}
		key := strings.ToLower(strings.TrimPrefix(name, EnvPrefix))
		if !l.put(name, key, raw[name]) {
			l.warnings = append(l.warnings, fmt.Sprintf("%s is no setting of weir and has no effect", name))
		}
	}
}

// config parses what was merged onto the defaults.
func (l *loader) config() Config {
	c := New()
	for _, s := range Settings() {
		if !l.merged.Exists(s.Key) {
			continue
		}
		if err := s.set(&c, l.merged.String(s.Key)); err != nil {
			l.problem(l.origin[s.Key], err)
		}
	}
	return c
}

// unknown names the setting that was probably meant.
func (l *loader) unknown(key string) error {
	for _, s := range Settings() {
		if strings.ReplaceAll(s.Key, "_", "") == strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(key)) {
			return fmt.Errorf("unknown setting; did you mean %s?", s.Key)
		}
	}
	return errors.New("unknown setting")
}

// scalar writes a value of the file as the text that a variable would hold; a
// list becomes comma separated.
func scalar(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case []any:
		parts := make([]string, len(v))
		for i, item := range v {
			text, err := scalar(item)
			if err != nil {
				return "", err
			}
			parts[i] = text
		}
		return strings.Join(parts, ","), nil
	case map[string]any:
		return "", errors.New("must be a single value")
	}
	return fmt.Sprint(v), nil
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
