package secret_test

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/secret"
)

var (
	start = time.Unix(1_800_000_000, 0)
	quiet = slog.New(slog.DiscardHandler)
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, target, path string) {
	t.Helper()
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}

func TestOpen(t *testing.T) {
	long := strings.Repeat("s", 32)
	dir := t.TempDir()
	t.Setenv("GOOD", long)
	t.Setenv("SHORT", long[1:])
	write(t, filepath.Join(dir, "good"), long+"\n")
	write(t, filepath.Join(dir, "short"), long[1:]+"\n\n")
	write(t, filepath.Join(dir, "huge"), strings.Repeat("s", 70_000))
	link(t, filepath.Join(dir, "good"), filepath.Join(dir, "link-out-of-it"))
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		ref  string
		want error
	}{
		{"$env://GOOD", nil},
		{"$env://SHORT", secret.ErrTooShort},
		{"$env://MISSING_HERE", secret.ErrNotThere},
		{"$env://", secret.ErrNoReference},
		{"$ENV://GOOD", secret.ErrNoReference},
		{long, secret.ErrNoReference},
		{"", secret.ErrNoReference},
		{"$file://" + dir + "/good", nil},
		{"$file://" + dir + "/link-out-of-it", nil},
		{"$file://" + dir + "/short", secret.ErrTooShort},
		{"$file://" + dir + "/huge", secret.ErrTooLong},
		{"$file://" + dir + "/missing", secret.ErrNotThere},
		{"$file://" + dir, secret.ErrNotThere},
		{"$file://" + dir + "/pipe", secret.ErrNotThere},
		{"$file://relative", secret.ErrNoReference},
	} {
		s, err := secret.Open(tt.ref, secret.Options{Now: start, Logger: quiet})
		if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
			t.Errorf("%s: %v, want %v", tt.ref, err, tt.want)
		}
		if err == nil && string(s.Value(start)) != long {
			t.Errorf("%s: another secret", tt.ref)
		}
	}
}

func TestAFileIsReadAgainAndABadOneChangesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	first, second := strings.Repeat("1", 32), strings.Repeat("2", 32)
	write(t, path, first)
	s, err := secret.Open("$file://"+path, secret.Options{Now: start, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		after time.Duration
		write string
		want  string
	}{
		{29 * time.Second, second, first},
		{30 * time.Second, second, second},
		{60 * time.Second, "too short", second},
		{61 * time.Second, first, second},
		{90 * time.Second, first, first},
	} {
		write(t, path, step.write)
		if got := string(s.Value(start.Add(step.after))); got != step.want {
			t.Errorf("after %v: %.1s…", step.after, got)
		}
	}
}

// TestTheLeastLengthHoldsForWhatIsReadAgainToo: HS512 needs 64 bytes (RFC 7518
// section 3.2), at first and later on.
func TestTheLeastLengthHoldsForWhatIsReadAgainToo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	for _, tt := range []struct {
		length, minLen int
		want           error
	}{
		{31, -1, secret.ErrTooShort},
		{31, 0, secret.ErrTooShort},
		{31, 16, secret.ErrTooShort},
		{32, 16, nil},
		{47, 48, secret.ErrTooShort},
		{48, 48, nil},
		{63, 64, secret.ErrTooShort},
		{64, 64, nil},
	} {
		write(t, path, strings.Repeat("s", tt.length)+"\r\n")
		if _, err := secret.Open("$file://"+path, secret.Options{MinLen: tt.minLen, Now: start, Logger: quiet}); !errors.Is(err, tt.want) {
			t.Errorf("%d bytes where %d are needed: %v", tt.length, tt.minLen, err)
		}
	}
	for length, want := range []error{secret.ErrTooShort, nil} {
		write(t, path, strings.Repeat("s", length)+"\n")
		if _, err := secret.Open("$file://"+path, secret.Options{Use: secret.CredentialUse, Now: start, Logger: quiet}); !errors.Is(err, want) {
			t.Errorf("a credential of %d bytes: %v", length, err)
		}
	}
	long, longer := strings.Repeat("1", 64), strings.Repeat("2", 65)
	write(t, path, long)
	s, err := secret.Open("$file://"+path, secret.Options{MinLen: 64, Now: start, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	for i, step := range []struct{ write, want string }{{long[1:], long}, {"", long}, {longer, longer}, {long[:32], longer}} {
		write(t, path, step.write)
		if got := string(s.Value(start.Add(time.Duration(i+1) * time.Minute))); got != step.want {
			t.Errorf("step %d: %d bytes", i, len(got))
		}
	}
}
