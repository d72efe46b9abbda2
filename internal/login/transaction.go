package login

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"
)

const (
	slots           = 5 // transactions that one browser may have at the same time
	seedSize        = 16
	transactionLife = 10 * time.Minute
)

// transaction is one login under way, as its state holds it: sealed, in the
// browser's address bar. What it needs besides, the seed, stands in the cookie
// of its slot, so that a state is worth nothing in another browser.
type transaction struct {
	slot       int
	begun      time.Time // whole seconds
	seedHash   [sha256.Size]byte
	asked      asked
	returnPath string
}

var errState = errors.New("the state does not open")

func (t transaction) seal(key Key) (string, error) {
	more, err := json.Marshal(t.asked)
	if err != nil {
		return "", err
	}
	b := []byte{byte(t.slot)}
	b = binary.BigEndian.AppendUint64(b, uint64(t.begun.Unix()))
	b = append(b, t.seedHash[:]...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(more)))
	b = append(append(b, more...), t.returnPath...)
	return key.Seal(b), nil
}

// unseal reads a state, and gives the key that sealed it. The return path is
// judged again: an earlier version may have sealed it under other rules.
func (f *Flow) unseal(state string, now time.Time) (t transaction, key Key, err error) {
	const head = 1 + 8 + sha256.Size + 2
	b, key, err := f.o.Sealer.Open(state, now)
	if err != nil || len(b) < head || int(b[0]) >= slots {
		return t, nil, errState
	}
	t.slot = int(b[0])
	t.begun = time.Unix(int64(binary.BigEndian.Uint64(b[1:])), 0)
	copy(t.seedHash[:], b[9:])
	n := int(binary.BigEndian.Uint16(b[head-2:]))
	if len(b) < head+n || json.Unmarshal(b[head:head+n], &t.asked) != nil {
		return t, nil, errState
	}
	t.returnPath = f.ReturnPath(string(b[head+n:]))
	return t, key, nil
}

// current reports whether a transaction's time has not passed. One that began
// in the future is not current either: nobody knows when it did.
func (f *Flow) current(t transaction, now time.Time) bool {
	age := now.Sub(t.begun)
	return age <= transactionLife && age >= -max(f.o.Leeway, time.Second)
}

// secrets are what comes of the seed of one login.
type secrets struct{ nonce, verifier string }

func derive(key Key, seed []byte) secrets {
	return secrets{
		nonce:    text(key.Derive("nonce", seed, 16)),
		verifier: text(key.Derive("verifier", seed, 32)), // 43 characters, the least of RFC 7636 section 4.1
	}
}

// seed is the seed in the slot's cookie, where it is the transaction's.
func (f *Flow) seed(t transaction, req Request) ([]byte, bool) {
	seed, _, ok := readSeed(f.transactionCookies(req)[t.slot])
	hash := sha256.Sum256(seed)
	return seed, ok && subtle.ConstantTimeCompare(hash[:], t.seedHash[:]) == 1
}

// transactionCookies are the values of the five cookies. One that is there
// twice is "": another site of the domain may have planted it.
func (f *Flow) transactionCookies(req Request) (found [slots]string) {
	var count [slots]int
	for _, line := range values(req, "Cookie") {
		for pair := range strings.SplitSeq(line, ";") {
			name, value, _ := strings.Cut(pair, "=")
			name = strings.TrimSpace(name)
			for i, want := range f.transactionNames {
				if name == want {
					found[i] = strings.TrimSpace(value)
					count[i]++
				}
			}
		}
	}
	for i, n := range count {
		if n > 1 {
			found[i] = ""
		}
	}
	return found
}

// readSeed reads a transaction cookie: the seed and the time.
func readSeed(value string) (seed []byte, begun time.Time, ok bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(value)
	if err != nil || len(b) != seedSize+8 {
		return nil, time.Time{}, false
	}
	return b[:seedSize], time.Unix(int64(binary.BigEndian.Uint64(b[seedSize:])), 0), true
}

// takeSlot chooses where a new transaction goes: a free slot at random, so that
// tabs that start at the same time seldom meet, or the oldest.
func (f *Flow) takeSlot(req Request, now time.Time) (int, error) {
	var free []int
	oldest, oldestBegun := 0, now
	for i, value := range f.transactionCookies(req) {
		_, begun, ok := readSeed(value)
		switch {
		case !ok || !f.current(transaction{begun: begun}, now):
			free = append(free, i)
		case begun.Before(oldestBegun):
			oldest, oldestBegun = i, begun
		}
	}
	if len(free) == 0 {
		return oldest, nil
	}
	var b [2]byte
	if _, err := io.ReadFull(f.o.Random, b[:]); err != nil {
		return 0, err
	}
	return free[int(binary.BigEndian.Uint16(b[:]))%len(free)], nil
}

func (f *Flow) setTransaction(slot int, seed []byte, begun time.Time) string {
	value := text(binary.BigEndian.AppendUint64(append([]byte(nil), seed...), uint64(begun.Unix())))
	return f.transactionCookie(slot, value, "600")
}

func (f *Flow) deleteTransaction(slot int) string { return f.transactionCookie(slot, "", "0") }

func (f *Flow) transactionCookie(slot int, value, maxAge string) string {
	secure := "; Secure"
	if f.o.Login.Insecure {
		secure = ""
	}
	return f.transactionNames[slot] + "=" + value + "; Path=/; Max-Age=" + maxAge + secure + "; HttpOnly; SameSite=Lax"
}

func text(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
