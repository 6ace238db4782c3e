package main

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/weir-id/weir"
	"github.com/weir-id/weir/internal/config"
	"github.com/weir-id/weir/internal/telemetry"
)

// settings reads the settings that all commands share.
type settings struct {
	file  string
	flags *pflag.FlagSet
}

// addSettings gives root a flag for the file and one for each setting that is
// no secret.
func addSettings(root *cobra.Command) *settings {
	s := &settings{flags: root.PersistentFlags()}
	s.flags.StringVar(&s.file, "config", "", "YAML file with settings")
	for _, known := range config.Settings() {
		if !known.Secret {
			s.flags.String(flagName(known.Key), "", known.Usage)
		}
	}
	return s
}

func flagName(key string) string { return strings.ReplaceAll(key, "_", "-") }

// load reads file, environment and flags. Warnings go to the log.
func (s *settings) load(cmd *cobra.Command) (weir.Config, error) {
	given := map[string]string{}
	for _, known := range config.Settings() {
		if f := s.flags.Lookup(flagName(known.Key)); f != nil && f.Changed {
			given[known.Key] = f.Value.String()
		}
	}
	c, warnings, err := config.Load(config.Sources{File: s.file, Flags: given})
	if err != nil {
		return weir.Config{}, errUsage{fmt.Errorf("the settings are not valid:\n%w", err)}
	}
	log := telemetry.NewLogger(cmd.ErrOrStderr(), c.Log.Level, c.Log.JSON)
	for _, w := range warnings {
		log.WarnContext(cmd.Context(), w)
	}
	return weir.Config{Settings: c, Log: log}, nil
}

// quiet keeps the log of commands that report on their own to what is wrong.
func quiet(cmd *cobra.Command, c weir.Config) weir.Config {
	c.Log = telemetry.NewLogger(cmd.ErrOrStderr(), max(c.Settings.Log.Level, slog.LevelWarn), c.Settings.Log.JSON)
	return c
}

// connect opens the installation for a command that is no server.
func (s *settings) connect(cmd *cobra.Command) (*weir.Installation, error) {
	c, err := s.load(cmd)
	if err != nil {
		return nil, err
	}
	return weir.Connect(cmd.Context(), quiet(cmd, c))
}
