package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/weir-id/weir"
)

func userCommand(s *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "user",
		Short: "Create users, set passwords, make links that let people in",
		Args:  usage(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(userCreateCommand(s), userPasswordCommand(s), userRecoveryCommand(s), userSignInCommand(s))
	return cmd
}

func userCreateCommand(s *settings) *cobra.Command {
	var user weir.NewUser
	var fromStdin bool
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Create a user",
		Args:  usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			user.Username = args[0]
			if fromStdin {
				if user.Password, err = readLine(cmd.InOrStdin()); err != nil {
					return err
				}
			}
			in, err := s.connect(cmd)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, in.Close()) }()
			id, err := in.CreateUser(cmd.Context(), user)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "created user %s (id %d)\n", user.Username, id)
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&user.Email, "email", "", "e-mail address")
	flags.StringVar(&user.Name, "name", "", "name as people see it")
	flags.BoolVar(&user.Superuser, "superuser", false, "make the user an administrator")
	flags.BoolVar(&fromStdin, "password-stdin", false, "read the password from the first line of standard input; without it the user has none")
	return cmd
}

func userPasswordCommand(s *settings) *cobra.Command {
	var fromStdin bool
	cmd := &cobra.Command{
		Use:   "password NAME",
		Short: "Set a user's password and end their sessions",
		Args:  usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			read := askPassword
			if fromStdin {
				read = func(cmd *cobra.Command) (string, error) { return readLine(cmd.InOrStdin()) }
			}
			plain, err := read(cmd)
			if err != nil {
				return err
			}
			in, err := s.connect(cmd)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, in.Close()) }()
			if err := in.SetPassword(cmd.Context(), args[0], plain); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "set the password of %s and ended their sessions\n", args[0])
			return nil
		},
	}
	cmd.Flags().BoolVar(&fromStdin, "password-stdin", false, "read the password from the first line of standard input")
	return cmd
}

// maxLine bounds a password that is read, in bytes.
const maxLine = 64 << 10

// readLine reads the first line. Blanks belong to the password.
func readLine(r io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, maxLine)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read password: %w", err)
	}
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return "", errUsage{errors.New("standard input holds no password")}
	}
	return line, nil
}

// askPassword asks twice, without showing what is typed.
func askPassword(cmd *cobra.Command) (string, error) {
	fd := int(os.Stdin.Fd())
	if !term.IsTerminal(fd) {
		return "", errUsage{errors.New("standard input is no terminal; use --password-stdin")}
	}
	var typed [2]string
	for i, prompt := range []string{"New password: ", "Again: "} {
		fmt.Fprint(cmd.ErrOrStderr(), prompt)
		b, err := term.ReadPassword(fd)
		fmt.Fprintln(cmd.ErrOrStderr())
		if err != nil {
			return "", fmt.Errorf("read password: %w", err)
		}
		typed[i] = string(b)
	}
	if typed[0] != typed[1] {
		return "", errors.New("the two passwords differ")
	}
	return typed[0], nil
}

// maxRecovery is how long a link for recovery may hold: it is as good as a
// password.
const maxRecovery = 30 * 24 * time.Hour

func userRecoveryCommand(s *settings) *cobra.Command {
	return linkCommand(s, "recovery-link NAME", "Make a link by which a user walks the recovery flow, once", time.Hour, maxRecovery, (*weir.Installation).RecoveryLink)
}

// maxSignIn is how long a link for signing in may hold: whoever has it needs nothing
// else.
const maxSignIn = 24 * time.Hour

func userSignInCommand(s *settings) *cobra.Command {
	cmd := linkCommand(s, "sign-in-link NAME", "Make a link that signs a user in, once, whatever the configuration is", 10*time.Minute, maxSignIn, (*weir.Installation).SignInLink)
	cmd.Long = "Sign-in-link makes a link for when nobody can sign in any more: no flow, policy or brand\n" +
		"has a say in it. Whoever has the link is signed in as the user, so hand it to nobody else."
	return cmd
}

// linkCommand is a command that makes a link for a user, which holds for so long
// unless --for says otherwise.
func linkCommand(s *settings, use, short string, holds, most time.Duration, link func(in *weir.Installation, ctx context.Context, username string, holds time.Duration) (string, error)) *cobra.Command {
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Args:  usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if holds <= 0 || holds > most {
				return errUsage{fmt.Errorf("--for takes a duration of at most %s, like 1h", most)}
			}
			in, err := s.connect(cmd)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, in.Close()) }()
			made, err := link(in, cmd.Context(), args[0], holds)
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), made)
			return nil
		},
	}
	cmd.Flags().DurationVar(&holds, "for", holds, fmt.Sprintf("how long the link holds, at most %gh", most.Hours()))
	return cmd
}
