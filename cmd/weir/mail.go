package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

func mailCommand(s *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "mail",
		Short: "See whether mail works",
		Args:  usage(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "test ADDRESS",
		Short: "Send a test mail at once",
		Args:  usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			in, err := s.connect(cmd)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, in.Close()) }()
			if err := in.SendTestMail(cmd.Context(), args[0]); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), "the mail server has taken a mail to", args[0])
			return nil
		},
	})
	cmd.AddCommand(previewCommand(s))
	return cmd
}

func previewCommand(s *settings) *cobra.Command {
	var language string
	var html bool
	cmd := &cobra.Command{
		Use:   "preview [TEMPLATE]",
		Short: "Show what mails of a template look like, or list the templates",
		Args:  usage(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			in, err := s.connect(cmd)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, in.Close()) }()
			if len(args) == 0 {
				for _, name := range in.MailTemplates() {
					fmt.Fprintln(cmd.OutOrStdout(), name)
				}
				return nil
			}
			subject, text, page, err := in.PreviewMail(args[0], language)
			switch {
			case err != nil:
				return err
			case html:
				fmt.Fprint(cmd.OutOrStdout(), page)
			default:
				fmt.Fprintf(cmd.OutOrStdout(), "Subject: %s\n\n%s", subject, text)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&language, "language", "en", "language of the mail: en, de, fr or es")
	cmd.Flags().BoolVar(&html, "html", false, "write the page that mail programs show, for a browser")
	return cmd
}
