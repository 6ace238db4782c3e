// Package duotest is Duo as far as Weir speaks to it: a real server with TLS that
// checks signatures, keeps users and pushes, and answers as a test wants.
package duotest

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// The keys that the server knows.
const (
	Key, Secret           = "DIWJ8X6AEYOR5OMC6TQ1", "Zh5eGmUq9zpfQnyUIu5OL9iWoMMv5ZNmk3zLJ4Ep"
	AdminKey, AdminSecret = "DIADMINX6AEYOR5OMC6T", "an admin secret key of forty characters!"
)

// User is somebody at Duo.
type User struct {
	ID       string `json:"user_id"`
	Username string `json:"username"`
	Enrolled bool   `json:"is_enrolled"`
	code     string
}

// Server is a Duo account.
type Server struct {
	// Host is the API hostname, Client an HTTP client that trusts its certificate.
	Host   string
	Client *http.Client

	t      *testing.T
	server *httptest.Server

	mu       sync.Mutex
	users    []*User
	pushes   []url.Values
	statuses int
	result   string
	status   string
	away     bool
	page     int
	hold     chan struct{}
}

// New starts a server for the time of a test. It allows pushes.
func New(t *testing.T) *Server {
	t.Helper()
	s := &Server{t: t, result: "allow", status: "allow", page: 2}
	s.server = httptest.NewTLSServer(s)
	t.Cleanup(s.server.Close)
	s.Host, s.Client = strings.TrimPrefix(s.server.URL, "https://"), s.server.Client()
	return s
}

// Certificate is that of the server, as PEM.
func (s *Server) Certificate() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.server.Certificate().Raw})
}

// Answer is what the server says to pushes from now on.
func (s *Server) Answer(result, status string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.result, s.status = result, status
}

// Away makes the server refuse everything, or serve again.
func (s *Server) Away(away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = away
}

// Hold keeps pushes waiting until the function is called, which may happen more than
// once.
func (s *Server) Hold() (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	hold := make(chan struct{})
	s.hold = hold
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.hold = nil
		close(hold)
	})
}

// Activate has the person with the name scan the code.
func (s *Server) Activate(username string) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.users {
		if u.Username == username {
			u.Enrolled = true
			return
		}
	}
	s.t.Errorf("nobody at Duo is called %s", username)
}

// Expire ends the activation code of the person with the name, and forgets them.
func (s *Server) Expire(username string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users = slices.DeleteFunc(s.users, func(u *User) bool { return u.Username == username })
}

// Add makes a user.
func (s *Server) Add(u User) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users = append(s.users, &u)
}

// Users are the names of the users.
func (s *Server) Users() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for _, u := range s.users {
		names = append(names, u.Username)
	}
	return names
}

// Pushes are the parameters of the pushes so far.
func (s *Server) Pushes() []url.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.pushes)
}

// Statuses is how often it was asked how far an enrolment is.
func (s *Server) Statuses() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.statuses
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	params, err := parameters(r)
	if err != nil {
		fail(w, http.StatusBadRequest, 40001, "Missing required request parameters", err.Error())
		return
	}
	key, secret := Key, Secret
	if strings.HasPrefix(r.URL.Path, "/admin/") {
		key, secret = AdminKey, AdminSecret
	}
	if err := check(r, params, key, secret); err != nil {
		fail(w, http.StatusUnauthorized, 40103, "Invalid signature in request credentials", err.Error())
		return
	}
	s.mu.Lock()
	away, hold := s.away, s.hold
	s.mu.Unlock()
	switch {
	case away:
		fail(w, http.StatusServiceUnavailable, 50301, "Duo is away", "")
	case r.Method == http.MethodPost && r.URL.Path == "/auth/v2/enroll":
		s.enrol(w, params)
	case r.Method == http.MethodPost && r.URL.Path == "/auth/v2/enroll_status":
		s.enrolStatus(w, params)
	case r.Method == http.MethodPost && r.URL.Path == "/auth/v2/auth":
		s.mu.Lock()
		s.pushes = append(s.pushes, params)
		s.mu.Unlock()
		if hold != nil {
			select {
			case <-hold:
			case <-r.Context().Done():
				return
			}
		}
		s.auth(w, params)
	case r.Method == http.MethodGet && r.URL.Path == "/admin/v1/users":
		s.list(w, params)
	default:
		fail(w, http.StatusNotFound, 40401, "Resource not found", "")
	}
}

func parameters(r *http.Request) (url.Values, error) {
	if r.Method == http.MethodGet {
		return url.ParseQuery(r.URL.RawQuery)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	return url.ParseQuery(string(body))
}

// check judges the signature as Duo's documentation describes it.
func check(r *http.Request, params url.Values, key, secret string) error {
	at, err := time.Parse("Mon, 02 Jan 2006 15:04:05 -0700", r.Header.Get("Date"))
	if err != nil {
		return err
	}
	if d := time.Since(at).Abs(); d > 24*time.Hour {
		return fmt.Errorf("the date is %v off", d)
	}
	var lines []string
	for name, values := range params {
		for _, v := range values {
			lines = append(lines, escape(name)+"="+escape(v))
		}
	}
	slices.Sort(lines)
	mac := hmac.New(sha512.New, []byte(secret))
	fmt.Fprintf(mac, "%s\n%s\n%s\n%s\n%s", r.Header.Get("Date"), r.Method, strings.ToLower(r.Host), r.URL.Path, strings.Join(lines, "&"))
	name, signature, ok := r.BasicAuth()
	if !ok || name != key || !hmac.Equal([]byte(signature), []byte(hex.EncodeToString(mac.Sum(nil)))) {
		return fmt.Errorf("signed by %q", name)
	}
	return nil
}

// escape leaves letters, digits and "_.-~" as they are (RFC 3986).
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

func (s *Server) enrol(w http.ResponseWriter, params url.Values) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := params.Get("username")
	if name == "" || slices.ContainsFunc(s.users, func(u *User) bool { return u.Username == name }) {
		fail(w, http.StatusBadRequest, 40003, "Bad parameter", "username already exists")
		return
	}
	u := &User{ID: fmt.Sprintf("DU%018d", len(s.users)+1), Username: name, code: fmt.Sprintf("duo://an-activation-code-of-user-%d-YXBpLTEyMzQ1Njc4LmR1by50ZXN0", len(s.users)+1)}
	s.users = append(s.users, u)
	succeed(w, map[string]any{"user_id": u.ID, "username": u.Username, "activation_code": u.code,
		"activation_barcode": "https://" + s.Host + "/frame/qr?value=x", "expiration": time.Now().Add(24 * time.Hour).Unix()}, nil)
}

func (s *Server) enrolStatus(w http.ResponseWriter, params url.Values) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.statuses++
	state := "invalid"
	for _, u := range s.users {
		if u.ID == params.Get("user_id") && u.code == params.Get("activation_code") && u.code != "" {
			state = "waiting"
			if u.Enrolled {
				state = "success"
			}
		}
	}
	succeed(w, state, nil)
}

func (s *Server) auth(w http.ResponseWriter, params url.Values) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.ContainsFunc(s.users, func(u *User) bool { return u.ID == params.Get("user_id") && u.Enrolled }) {
		fail(w, http.StatusBadRequest, 40002, "Invalid request parameters", "user_id")
		return
	}
	succeed(w, map[string]any{"result": s.result, "status": s.status, "status_msg": "said by a test"}, nil)
}

func (s *Server) list(w http.ResponseWriter, params url.Values) {
	s.mu.Lock()
	defer s.mu.Unlock()
	from, err := strconv.Atoi(params.Get("offset"))
	if err != nil || from < 0 || from > len(s.users) {
		fail(w, http.StatusBadRequest, 40002, "Invalid request parameters", "offset")
		return
	}
	to := min(from+s.page, len(s.users))
	meta := map[string]any{"total_objects": len(s.users)}
	if to < len(s.users) {
		meta["next_offset"] = to
	}
	succeed(w, s.users[from:to], meta)
}

func succeed(w http.ResponseWriter, response any, meta map[string]any) {
	answer := map[string]any{"stat": "OK", "response": response}
	if meta != nil {
		answer["metadata"] = meta
	}
	write(w, http.StatusOK, answer)
}

func fail(w http.ResponseWriter, status, code int, message, detail string) {
	write(w, status, map[string]any{"stat": "FAIL", "code": code, "message": message, "message_detail": detail})
}

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // whoever asked is gone if this fails
}
