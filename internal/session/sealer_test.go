package session_test

import (
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/secret"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/session"
)

func TestWhatIsSealedOpensForItsBindingAlone(t *testing.T) {
	ours := sealer(t, binding, "a")
	text := ours.Seal(session.ForState, []byte("hello"), start)
	if got, err := ours.Open(session.ForState, text, start); err != nil || string(got) != "hello" {
		t.Fatalf("our own: %q, %v", got, err)
	}
	for name, change := range map[string]func(*session.Binding){
		"another cookie":              func(b *session.Binding) { b.Cookie = "__Host-other" },
		"another client":              func(b *session.Binding) { b.ClientID = "other" },
		"another issuer":              func(b *session.Binding) { b.Issuer = "https://other.example/" },
		"an issuer without its slash": func(b *session.Binding) { b.Issuer = "https://tenant.example" },
		"another origin":              func(b *session.Binding) { b.Origin = "https://app.example:8443" },
		"a letter moved from the client to the cookie": func(b *session.Binding) {
			b.Cookie, b.ClientID = b.Cookie+"c", b.ClientID[1:]
		},
		"a letter moved from the origin to the issuer": func(b *session.Binding) {
			b.Issuer, b.Origin = b.Issuer+"h", b.Origin[1:]
		},
		"client and issuer exchanged": func(b *session.Binding) { b.ClientID, b.Issuer = b.Issuer, b.ClientID },
		"nothing":                     func(b *session.Binding) { *b = session.Binding{} },
	} {
		b := binding
		change(&b)
		if _, err := sealer(t, b, "a").Open(session.ForState, text, start); !errors.Is(err, session.ErrSealed) {
			t.Errorf("%s: %v", name, err)
		}
		if b.Digest() == binding.Digest() {
			t.Errorf("%s: the same digest", name)
		}
	}
	for _, p := range []session.Purpose{session.ForSession, session.ForTransaction, session.ForRecord, session.ForSuccessor} {
		if _, err := ours.Open(p, text, start); !errors.Is(err, session.ErrSealed) {
			t.Errorf("purpose %d: %v", p, err)
		}
	}
}

func TestWhatIsBoundOpensWithThatAlone(t *testing.T) {
	s := sealer(t, binding, "a")
	sealed := s.First(start).SealBytes(session.ForRecord, []byte("hello"), []byte("one"), []byte("two"))
	for _, bound := range [][][]byte{nil, {[]byte("one")}, {[]byte("onetwo")}, {[]byte("onet"), []byte("wo")}, {[]byte("two"), []byte("one")}, {[]byte("one"), []byte("two"), nil}} {
		if _, _, err := s.OpenBytes(session.ForRecord, sealed, start, bound...); err == nil {
			t.Errorf("opened with %q", bound)
		}
	}
	if _, _, err := s.OpenBytes(session.ForRecord, sealed, start, []byte("one"), []byte("two")); err != nil {
		t.Error(err)
	}
}

func TestAnySealedTextThatWasChangedDoesNotOpen(t *testing.T) {
	s := sealer(t, binding, "a")
	text := s.Seal(session.ForState, []byte("hello world"), start)
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	opens := func(text string) bool {
		_, err := s.Open(session.ForState, text, start)
		return err == nil
	}
	if !opens(text) {
		t.Fatal("it does not open unchanged")
	}
	for bit := range len(sealed) * 8 {
		sealed[bit/8] ^= 1 << (bit % 8)
		if opens(b64(sealed)) {
			t.Errorf("bit %d flipped", bit)
		}
		sealed[bit/8] ^= 1 << (bit % 8)
	}
	for n := range len(text) {
		for _, changed := range []string{text[:n], text[n+1:], text[:n] + text[n+1:], text[:n] + "\n" + text[n:], text[:n] + "\r\n" + text[n:], text[:n] + "=" + text[n:], text[:n] + " " + text[n:]} {
			if opens(changed) {
				t.Errorf("changed at %d: %q", n, changed)
			}
		}
	}
	// The 52 bytes of it leave four bits of the last character without a meaning.
	alphabet := "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for i := range alphabet {
		if changed := text[:len(text)-1] + alphabet[i:i+1]; changed != text && opens(changed) {
			t.Errorf("opens with another last character: %q", changed)
		}
	}
	for name, changed := range map[string]string{
		"nothing": "", "padding": text + "==", "the standard alphabet": base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("\xff", 60))),
		"a line break at the end": text + "\n", "twice": text + text, "long": text + strings.Repeat("A", 1<<20),
	} {
		if opens(changed) {
			t.Errorf("%s opens", name)
		}
	}
}

// TestNoTwoSealedTextsShareAKey: the front of a sealed text is what its own key is
// derived from, so it must not come twice.
func TestNoTwoSealedTextsShareAKey(t *testing.T) {
	k := sealer(t, binding, "a").First(start)
	salts := map[[16]byte]bool{}
	texts := map[string]bool{}
	for range 100_000 {
		sealed := k.SealBytes(session.ForState, []byte("the same"))
		salts[[16]byte(sealed[:16])] = true
		texts[string(sealed[16:])] = true
	}
	if len(salts) != 100_000 || len(texts) != 100_000 {
		t.Errorf("%d salts and %d texts", len(salts), len(texts))
	}
}

func TestAnOldSecretOpensAndARemovedOneDoesNot(t *testing.T) {
	before := sealer(t, binding, "a")
	text := before.Seal(session.ForState, []byte("hello"), start)
	by := before.First(start).ID()
	for _, tt := range []struct {
		name    string
		letters []string
		want    bool
	}{
		{"the same", []string{"a"}, true},
		{"a new one before it", []string{"b", "a"}, true},
		{"the last of three", []string{"c", "b", "a"}, true},
		{"removed", []string{"b"}, false},
	} {
		after := sealer(t, binding, tt.letters...)
		if _, err := after.Open(session.ForState, text, start); (err == nil) != tt.want || after.Holds(by, start) != tt.want {
			t.Errorf("%s: %v, held: %t", tt.name, err, after.Holds(by, start))
		}
		if _, err := before.Open(session.ForState, after.Seal(session.ForState, nil, start), start); (err == nil) != (tt.letters[0] == "a") {
			t.Errorf("%s: the first one does not seal", tt.name)
		}
	}
}

func TestASecretsFileThatChangesEndsItsOldKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	write := func(letter string) {
		if err := os.WriteFile(path, []byte(strings.Repeat(letter, 32)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("a")
	source, err := secret.Open("$file://"+path, secret.Options{Now: start})
	if err != nil {
		t.Fatal(err)
	}
	s := session.NewSealer([]*secret.Secret{source}, binding)
	text, key := s.Seal(session.ForState, nil, start), s.First(start)
	later := start.Add(time.Minute)
	if s.First(later) != key {
		t.Error("a key is derived again for the same secret")
	}
	if s.HeldLately(key.ID(), later) {
		t.Error("held, and nobody looked")
	}
	if !s.Holds(key.ID(), later) || !s.HeldLately(key.ID(), later.Add(9*time.Second)) || s.HeldLately(key.ID(), later.Add(10*time.Second)) {
		t.Error("a look does not stand for 10 s")
	}
	write("b")
	later = later.Add(time.Minute)
	if _, err := s.Open(session.ForState, text, later); err == nil || s.Holds(key.ID(), later) || s.HeldLately(key.ID(), later) {
		t.Error("the old key opens")
	}
}

func TestWhatIsDerivedDependsOnAllOfIt(t *testing.T) {
	k := sealer(t, binding, "a").First(start)
	other := binding
	other.ClientID = "other"
	all := map[string]bool{}
	for _, got := range [][]byte{
		k.Derive(session.ForTransaction, "nonce", []byte("seed"), 32),
		k.Derive(session.ForTransaction, "verifier", []byte("seed"), 32),
		k.Derive(session.ForTransaction, "nonce", []byte("seeds"), 32),
		k.Derive(session.ForTransaction, "nonces", []byte("eed"), 32),
		k.Derive(session.ForState, "nonce", []byte("seed"), 32),
		sealer(t, binding, "b").First(start).Derive(session.ForTransaction, "nonce", []byte("seed"), 32),
		sealer(t, other, "a").First(start).Derive(session.ForTransaction, "nonce", []byte("seed"), 32),
	} {
		all[string(got)] = len(got) == 32
	}
	if len(all) != 7 {
		t.Errorf("%d of 7 differ", len(all))
	}
	if again := sealer(t, binding, "c", "a"); !all[string(mustBy(t, again, k).Derive(session.ForTransaction, "nonce", []byte("seed"), 32))] {
		t.Error("not the same again")
	}
}

// mustBy is the key of s that opens what k seals.
func mustBy(t *testing.T, s *session.Sealer, k *session.Key) *session.Key {
	t.Helper()
	_, by, err := s.OpenBy(session.ForState, k.Seal(session.ForState, nil), start)
	if err != nil {
		t.Fatal(err)
	}
	return by
}

func TestCookieName(t *testing.T) {
	for _, tt := range []struct {
		name     string
		insecure bool
		want     string
	}{
		{"__Host-auth0_session", false, "__Host-auth0_session"},
		{"__Host-auth0_session", true, "auth0_session"},
		{"__Secure-s", true, "s"},
		{"s", true, "s"},
	} {
		if got := session.CookieName(tt.name, tt.insecure); got != tt.want {
			t.Errorf("%s: %s", tt.name, got)
		}
	}
}
