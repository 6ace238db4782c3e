package weir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/authenticator"
	"github.com/weir-id/weir/internal/blueprint"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/config"
	"github.com/weir-id/weir/internal/consent"
	"github.com/weir-id/weir/internal/directory"
	"github.com/weir-id/weir/internal/directory/password"
	"github.com/weir-id/weir/internal/duo"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/expression"
	"github.com/weir-id/weir/internal/flowtoken"
	"github.com/weir-id/weir/internal/geoip"
	"github.com/weir-id/weir/internal/guard"
	"github.com/weir-id/weir/internal/history"
	"github.com/weir-id/weir/internal/jobs"
	"github.com/weir-id/weir/internal/mail"
	"github.com/weir-id/weir/internal/media"
	"github.com/weir-id/weir/internal/notification"
	"github.com/weir-id/weir/internal/outbound"
	"github.com/weir-id/weir/internal/policies"
	"github.com/weir-id/weir/internal/reputation"
	"github.com/weir-id/weir/internal/resource"
	"github.com/weir-id/weir/internal/seal"
	"github.com/weir-id/weir/internal/session"
	"github.com/weir-id/weir/internal/session/token"
	"github.com/weir-id/weir/internal/stages"
	"github.com/weir-id/weir/internal/stages/authenticatorduo"
	"github.com/weir-id/weir/internal/stages/authenticatorsms"
	"github.com/weir-id/weir/internal/stages/captcha"
	consentstage "github.com/weir-id/weir/internal/stages/consent"
	"github.com/weir-id/weir/internal/stages/mtls"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/dial"
	"github.com/weir-id/weir/internal/telemetry"
	"github.com/weir-id/weir/internal/web"
	"github.com/weir-id/weir/policy"
)

// Settings are the settings of an installation; see DefaultSettings.
type Settings = config.Config

// Secret is a setting that is never printed.
type Secret = config.Secret

// DefaultSettings returns settings with their defaults: SQLite in ./data.
func DefaultSettings() Settings { return config.New() }

// LoadSettings returns the settings of a YAML file, empty for none, and of the
// variables WEIR_* of the environment, as the command reads them. The error joins
// every problem that was found; warnings are texts for the log.
func LoadSettings(file string) (s Settings, warnings []string, err error) {
	return config.Load(config.Sources{File: file})
}

// Config says how to open an installation.
type Config struct {
	Settings
	// Log receives everything that is logged; by default lines on stderr as
	// Settings.Log says.
	Log *slog.Logger
	// Now is the clock; time.Now when nil.
	Now func() time.Time
	// Announce shows a link by which the first administrator chooses a password.
	// Every start makes one as long as nobody has; see
	// Installation.SetupLink. An error ends the start. Nil makes no link.
	Announce func(link string) error
	// Stages are stage types of the program, beside those of Weir. Their names are
	// stored, so a later start without one of them leaves stages that deny.
	Stages []flow.StageType
	// PageFiles are texts, templates, style and pictures of the program, as
	// docs/pages.md describes the folder that Settings.Pages names; only one of
	// the two can be given. Nil for none.
	PageFiles fs.FS

	// Users keeps people outside of Weir; nil for none. They get a row here when
	// they first say who they are, and sign in through password stages with the
	// back end "weir.userstore".
	Users identity.UserStore

	// watch puts something between the program and its database; nil for
	// nothing. Tests count queries with it.
	watch func(store.DB) store.DB
}

// Installation is an open database with its configuration and its people,
// without a server: what the commands work on.
type Installation struct {
	config   Settings
	log      *slog.Logger
	now      func() time.Time
	announce func(link string) error
	// own is what the program brings.
	own         own
	registry    *prometheus.Registry
	metrics     *telemetry.Metrics
	db          store.DB
	jobs        *jobs.Queue
	installID   string
	hashing     *password.Queue
	hasher      *password.Hasher
	people      *directory.Directory
	access      *access.Access
	tokens      *token.Tokens
	flowTokens  *flowtoken.Tokens
	limits      *guard.Guard
	events      *event.Recorder
	reputation  *reputation.Scores
	geoip       *geoip.Databases
	sessions    *session.Manager
	expressions *expression.Compiler
	// texts are those of pages and mails, with an administrator's own files.
	texts *web.Texts
	// mailer and mails send mail and make it.
	mailer *mail.Mailer
	mails  *mail.Templates
	// complained is when it was last recorded why mails of policies cannot be
	// sent.
	complained complaints
	// authenticators are the devices of people, of these kinds.
	authenticators     *authenticator.Devices
	authenticatorKinds []authenticator.Kind
	// duo is asked about phones with Duo's app.
	duo        authenticatorduo.Env
	stageTypes []flow.StageType
	policyList []policy.Type
	// media is open while a server runs.
	media   *media.Folder
	catalog *catalog.Catalog
	kinds   *resource.Registry
	history *history.History
	// files is the folder of blueprints; nil until it is needed. blueprints are
	// those on the server: the default ones, and from then on those of the
	// folder.
	files         *os.Root
	blueprints    blueprint.Instances
	notifications *notification.Engine
}

// Connect opens the database, brings its schema up to date and loads the
// configuration. Nothing is set up and nothing runs in the background. The
// caller closes the installation.
func Connect(ctx context.Context, cfg Config) (*Installation, error) {
	in := &Installation{config: cfg.Settings, log: cfg.Log, now: cfg.Now, announce: cfg.Announce, own: own{cfg.Stages, cfg.PageFiles, cfg.Users}, registry: prometheus.NewRegistry()}
	if in.log == nil {
		in.log = telemetry.NewLogger(os.Stderr, cfg.Settings.Log.Level, cfg.Settings.Log.JSON)
	}
	if in.now == nil {
		in.now = time.Now
	}
	in.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	in.metrics = telemetry.NewMetrics(in.registry)
	if err := in.open(ctx, cfg.watch); err != nil {
		return nil, errors.Join(err, in.Close())
	}
	return in, nil
}

func (in *Installation) open(ctx context.Context, watch func(store.DB) store.DB) error {
	secret, err := secretKey(&in.config)
	if err != nil {
		return err
	}
	if in.db, err = dial.Open(ctx, dial.Options{URL: in.config.DatabaseURL.Reveal(), DataDir: in.config.Data, Logger: in.log}); err != nil {
		return err
	}
	if in.jobs, err = jobs.Open(ctx, in.db, in.log); err != nil {
		return err
	}
	if watch != nil {
		in.db = watch(in.db)
	}
	keys, installID, err := seal.LoadOrCreate(ctx, in.db, secret)
	if err != nil {
		return fmt.Errorf("open the keys of the installation: %w", err)
	}
	in.installID = installID
	hashing := in.config.Hashing
	in.hashing = password.NewQueue(password.QueueConfig{Workers: hashing.Workers, MaxWaiting: hashing.Queue,
		Hashed:  func(d time.Duration) { in.metrics.Hash.Observe(d.Seconds()) },
		Refused: func() { in.metrics.Refused(telemetry.RefusedHash) }})
	telemetry.WatchHashQueue(in.registry, in.hashing.Waiting)
	in.hasher, err = password.NewHasher(password.Params{MemoryKiB: hashing.MemoryKiB, Passes: hashing.Time, Lanes: hashing.Threads}, in.hashing)
	if err != nil {
		return err
	}
	in.tokens = token.New(in.db, keys.Box("token"), in.now)
	devices := keys.Box("device cookie")
	in.limits = guard.New(guard.Config{DB: in.db, Limits: guard.Limits(in.config.Guesses), Key: directory.UsernameKey, Devices: devices, Now: in.now,
		Sends: guard.SendLimits(in.config.Sends), Refused: in.refused})
	in.people = directory.New(directory.Config{DB: in.db, Hasher: in.hasher, Guard: in.limits, AppPasswords: in.tokens, History: in.passwordHistory,
		Store: in.own.users, Adopted: in.recordAdopted, Now: in.now, Logger: in.log})
	in.flowTokens = &flowtoken.Tokens{DB: in.db, Box: keys.Box("flow token"), Now: in.now, SetupOpen: in.setupOpen, CloseSetup: in.closeSetup}
	in.authenticators = &authenticator.Devices{DB: in.db, Box: keys.Box("authenticator"), Now: in.now}
	sms := authenticatorsms.Env{Devices: in.authenticators, House: messages{in}, Client: outbound.Client(nil)}
	in.duo = authenticatorduo.Env{Devices: in.authenticators, House: messages{in}, Client: duo.HTTP(), Now: in.now, Waiting: &authenticatorduo.Waiting{}}
	in.authenticatorKinds = stages.Kinds(stages.KindEnv{Devices: in.authenticators, Letters: letters{in}, SMS: sms, Duo: in.duo, Log: in.log.With("component", "passkeys")})
	in.access = access.New(in.db, resource.Owners(in.authenticatorKinds))
	in.geoip = geoip.New(geoip.Config{City: in.config.GeoIP.City, ASN: in.config.GeoIP.ASN, Log: in.log.With("component", "geoip")})
	in.reputation = reputation.New(reputation.Config{DB: in.db, Expiry: in.config.ReputationExpiry, Now: in.now, Places: in.places,
		Limits: func() (lower, upper int64) {
			s := in.catalog.Snapshot().Settings()
			return int64(s.ReputationLower), int64(s.ReputationUpper)
		}})
	in.events = &event.Recorder{Now: in.now, Retention: func() time.Duration { return in.catalog.Snapshot().Settings().EventRetention.Duration() },
		Observers: []event.Observer{in.reputation.Observe}}
	if err := in.openMail(keys); err != nil {
		return err
	}
	in.sessions = session.New(session.Config{DB: in.db, People: in.people, Tokens: in.tokens, Events: in.events, Locator: locator{in.geoip}, Mail: in.queuePolicyMail,
		MayImpersonate: in.mayImpersonate, Plans: keys.Box("plan"), CookieKey: keys.MAC("session cookie"), Now: in.now, Logger: in.log})
	if in.expressions, err = in.compiler(); err != nil {
		return err
	}
	in.stageTypes, err = withOwn(stages.All(stages.Env{Users: in.people, Reputation: in.reputation, Sessions: in.sessions, Accounts: in.people, Writer: in.people, Remover: in, Invitations: in.invitations(), Ends: in.sessions, Tokens: in.tokens, Links: links{in}, Letters: letters{in}, SMS: sms, Duo: in.duo, Consent: consentstage.Env{Consents: &consent.Consents{DB: in.db, Now: in.now}, Key: keys.MAC("consent")}, Sealer: devices, Compiler: in.expressions,
		Devices: in.authenticators, Kinds: in.authenticatorKinds, Log: in.log.With("component", "passkeys"),
		Captcha:      captcha.Env{Client: outbound.Client(nil), Key: keys.MAC("captcha"), Log: in.log.With("component", "captcha")},
		Certificates: mtls.Env{Users: in.people, Vouches: in.vouches}}), in.own.stages)
	if err != nil {
		return err
	}
	policyEnv, err := in.policyEnv()
	if err != nil {
		return err
	}
	in.policyList = policies.All(policyEnv)
	in.catalog, err = catalog.Open(ctx, catalog.Config{DB: in.db, Stages: in.stageTypes, Policies: in.policyList, Compile: in.expressions.Check,
		Seal: keys.Box("catalog"), Exists: in.people.Exists, Guard: in.guardLockout, Record: resource.RecordChanges(in.events, func() *catalog.Catalog { return in.catalog }), Logger: in.log, Now: in.now})
	if err != nil {
		return err
	}
	in.notifications = in.newNotifications()
	in.blueprints = blueprint.Folder(blueprint.Defaults())
	in.kinds = resource.New(resource.Config{Blueprint: func(path, content string) error { return blueprint.CheckSource(in.blueprints, path, content) },
		Devices: in.authenticators, DeviceKinds: in.authenticatorKinds,
		Catalog: in.catalog, Stages: in.stageTypes, Policies: in.policyList, Directory: in.people, Hasher: in.hasher,
		Tokens: in.tokens, Access: in.access, Events: in.events, Mailer: in.mailer, Mails: in.mails, Avatar: in.avatar, InstallID: in.installID, BaseURL: in.baseURL(), Locate: in.geoip.Context, Now: in.now})
	in.history = &history.History{Catalog: in.catalog, DB: in.db, Name: in.nameOf, Check: in.kinds.CheckSettings}
	return nil
}

// pages are the templates of the stage types that ask something.
func (in *Installation) pages() []fs.FS {
	var out []fs.FS
	for _, t := range in.stageTypes {
		if t.Pages != nil {
			out = append(out, t.Pages)
		}
	}
	return out
}

// loadTexts reads the texts of pages and mails, and the files of the program or of
// the administrator's folder; nothing in that leads out of it.
func (in *Installation) loadTexts() (err error) {
	folder := in.own.pages
	if in.config.Pages != "" {
		if folder != nil {
			return errors.New("give either PageFiles or Settings.Pages")
		}
		root, err := os.OpenRoot(in.config.Pages)
		if err != nil {
			return fmt.Errorf("open folder of own pages: %w", err)
		}
		defer func() { _ = root.Close() }()
		folder = root.FS()
	}
	in.texts, err = web.LoadTexts(folder)
	return err
}

// baseURL is where people reach the site; empty where that is not configured.
func (in *Installation) baseURL() string {
	if in.config.BaseURL == nil {
		return ""
	}
	return in.config.BaseURL.String()
}

// avatar is the address of the picture for a user name, as the settings want
// it.
func (in *Installation) avatar(username string) string {
	if !in.catalog.Snapshot().Settings().ShowsInitials() {
		username = ""
	}
	return web.AvatarPath(username)
}

// footer are the links below the pages of brands that have none.
func (in *Installation) footer() []web.Link {
	links, _ := in.catalog.Snapshot().Settings().Footer() // was checked when it was stored
	out := make([]web.Link, len(links))
	for i, l := range links {
		out[i].Text = l.Name
		if l.Href != nil {
			out[i].URL = *l.Href
		}
	}
	return out
}

// view is the configuration as the engine sees it.
func (in *Installation) view() flow.Catalog { return in.catalog.Snapshot() }

// Close closes the database once nothing uses it any more.
func (in *Installation) Close() error {
	if in.sessions != nil {
		in.sessions.Close()
	}
	var err error
	if in.files != nil {
		err = in.files.Close()
	}
	if in.media != nil {
		err = errors.Join(err, in.media.Close())
	}
	if in.db != nil {
		err = errors.Join(err, in.db.Close())
	}
	return err
}

// vouches tells whether an outpost may say, for a mutual TLS stage, which
// certificate its client has shown.
func (in *Installation) vouches(ctx context.Context, outpost *identity.Person, stage uuid.UUID) (bool, error) {
	return in.access.Can(ctx, outpost, mtls.PassCertificate, mtls.Model, stage.String())
}
