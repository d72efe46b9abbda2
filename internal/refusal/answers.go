package refusal

import "sync/atomic"

// Answers writes the refusals of one route. It keeps those that depend on nothing
// but their kind, such as that of a missing token: a client that is refused again
// and again costs no writing. Each is written when it is first asked for, since a
// route meets few kinds. Its methods may be called by any goroutine.
type Answers struct {
	style Style
	kept  [numKinds]atomic.Pointer[Answer]
}

// Answers are the answers in that style.
func (s Style) Answers() *Answers { return &Answers{style: s} }

// Of is r's answer. It is shared: nobody changes its headers or its body, but
// headers may be appended.
func (a *Answers) Of(r Refusal) Answer {
	r.Cause = "" // for the log only
	if r != (Refusal{Kind: r.Kind}) || r.Kind >= numKinds {
		return r.Answer(a.style)
	}
	kept := a.kept[r.Kind].Load()
	if kept == nil {
		written := r.Answer(a.style)
		written.Headers = written.Headers[:len(written.Headers):len(written.Headers)]
		kept = &written
		a.kept[r.Kind].Store(kept)
	}
	return *kept
}
