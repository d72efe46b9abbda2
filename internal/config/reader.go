package config

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// reader collects what is wrong with one document while it is read.
type reader struct {
	opt      Options
	problems []Problem
	unlisted int // problems beyond maxProblems
	keys     int // in the key sets read so far
	warnings []string
	work     int // done so far, see afford
	// idTokenFor is login.client_id where the ID token is judged, which then is
	// the audience; nil elsewhere.
	idTokenFor *string
}

func (r *reader) refuse(path, given, want string) {
	r.add(Problem{Path: path, Given: given, Want: want})
}

// refuseNow refuses for a reason outside of the document.
func (r *reader) refuseNow(path, given, want string) {
	r.add(Problem{Path: path, Given: given, Want: want, Outside: true})
}

func (r *reader) add(p Problem) {
	if len(r.problems) == maxProblems {
		r.unlisted++
		return
	}
	r.problems = append(r.problems, p)
}

func (r *reader) warn(path, text string) {
	r.warnings = append(r.warnings, path+": "+text)
}

// err is nil when nothing was wrong.
func (r *reader) err() error {
	if len(r.problems) == 0 {
		return nil
	}
	sortProblems(r.problems)
	if r.unlisted > 0 {
		r.problems = append(r.problems, Problem{
			Path: "$", Given: strconv.Itoa(r.unlisted) + " more problems", Want: "none; the first ones found are listed here",
		})
	}
	return &Error{Problems: r.problems}
}

// value is one JSON value and where it stands.
type value struct {
	r      *reader
	path   string
	json   any
	hidden bool // it and all within is shown by its type only
}

func (v value) refuse(want string) {
	if v.hidden {
		v.refuseHidden(want)
		return
	}
	v.r.refuse(v.path, render(v.json), want)
}

func (v value) refuseHidden(want string) { v.r.refuse(v.path, kind(v.json), want) }

// text reads a string that is not empty.
func (v value) text(want string) (string, bool) {
	s, ok := v.json.(string)
	if !ok || s == "" {
		v.refuse(want)
		return "", false
	}
	return s, true
}

// elements reads a list that is not empty.
func (v value) elements(want string) []value {
	list, ok := v.json.([]any)
	if !ok || len(list) == 0 {
		v.refuse(want)
		return nil
	}
	if !v.r.afford(v.path, workOfElement*len(list)) {
		return nil
	}
	elements := make([]value, len(list))
	for i, e := range list {
		elements[i] = value{v.r, element(v.path, i), e, v.hidden}
	}
	return elements
}

// texts reads a list of strings, each there once and to the liking of fits
// (nil takes any that is not empty).
func (v value) texts(want string, fits func(string) bool) []string {
	var texts []string
	seen := map[string]bool{}
	for _, e := range v.elements("a list with at least one entry, each " + want) {
		s, ok := e.text(want)
		switch {
		case !ok:
		case fits != nil && !fits(s):
			e.refuse(want)
		case seen[s]:
			e.refuse("each entry once; this one is there before")
		default:
			seen[s] = true
			texts = append(texts, s)
		}
	}
	return texts
}

// object reads an object that is not empty.
func (v value) object(want string) (object, bool) {
	members, ok := v.json.(map[string]any)
	if !ok || len(members) == 0 {
		v.refuse(want)
		return object{}, false
	}
	if !v.r.afford(v.path, workOfObject+workOfMember*len(members)) {
		return object{}, false
	}
	return object{v.r, v.path, members, v.hidden}, true
}

type object struct {
	r       *reader
	path    string
	members map[string]any
	hidden  bool
}

func (o object) get(key string) (value, bool) {
	v, ok := o.members[key]
	return value{o.r, member(o.path, key), v, o.hidden}, ok
}

// names are the members' names, sorted.
func (o object) names() []string { return slices.Sorted(maps.Keys(o.members)) }

// given are those of the keys that the object has.
func (o object) given(keys ...string) []string {
	return slices.DeleteFunc(slices.Clone(keys), func(k string) bool {
		_, ok := o.members[k]
		return !ok
	})
}

// allow refuses every key that is not known.
func (o object) allow(known ...string) {
	for _, name := range o.names() {
		v, _ := o.get(name)
		switch {
		case slices.Contains(known, name):
		case len(o.r.problems) == maxProblems:
			o.r.unlisted++
		case nearest(name, known) != "":
			v.refuseHidden("no such key; did you mean " + nearest(name, known) + "?")
		case len(known) <= 12:
			v.refuseHidden("no such key; the keys here are " + strings.Join(known, ", "))
		default:
			v.refuseHidden("no such key; see the reference for the keys there are")
		}
	}
}

// flag reads a boolean; absent is the fallback.
func (o object) flag(key string, fallback bool) bool {
	v, ok := o.get(key)
	if !ok {
		return fallback
	}
	b, ok := v.json.(bool)
	if !ok {
		v.refuse("true or false")
		return fallback
	}
	return b
}

// choice is one of the words that a key takes.
type choice[T any] struct {
	word string
	is   T
}

// choose reads one of some words; absent is the first.
func choose[T any](o object, key string, choices ...choice[T]) T {
	v, ok := o.get(key)
	if !ok {
		return choices[0].is
	}
	words := make([]string, len(choices))
	for i, c := range choices {
		if v.json == any(c.word) {
			return c.is
		}
		words[i] = strconv.Quote(c.word)
	}
	v.refuse(strings.Join(words, ", "))
	return choices[0].is
}

// match reads "all" or "any"; absent is the fallback. The key is refused where
// the list that it is about is not there.
func (o object) match(key string, fallback Match, about string) Match {
	v, ok := o.get(key)
	if !ok {
		return fallback
	}
	if _, there := o.get(about); !there {
		v.refuse("nothing: it has no effect without " + about)
	}
	return choose(o, key, choice[Match]{"all", All}, choice[Match]{"any", Any})
}
