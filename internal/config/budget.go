package config

import (
	"errors"
	"strconv"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/rule"
)

const (
	// maxValues bounds what the JSON of a document takes; 1 MiB of {} would be
	// 350,000 values, which take 150 ms.
	maxValues = 50_000
	// maxWork bounds all that is made of them, in units of at most a microsecond
	// on one core: rules, patterns, schemas, objects and lists.
	maxWork = 60_000
)

// Units of work of what every part of a document is made of; rules and schemas
// say theirs themselves.
const (
	workOfObject  = 15
	workOfMember  = 3
	workOfElement = 2
	workOfPattern = 20
	workOfStep    = 5 // of a pattern's size
	// What is done anew for every request: a header may hold as much as a whole
	// token, and every place of a token is looked for in all headers.
	workOfHeader = 300
	workOfSource = 300
)

var errTooMuch = errors.New("more work than one configuration may make")

// afford asks for work on what stands at path. Where there has been too much,
// that is the last problem of the document, and all work is left out from there
// on. The work is counted and not timed, so that no configuration is good on one
// machine and bad on another.
func (r *reader) afford(path string, units int) bool {
	if r.work > maxWork {
		return false
	}
	if r.work += units; r.work <= maxWork {
		return true
	}
	r.refuse(path, errTooMuch.Error()+", counted up to here",
		"rules, patterns, schemas, objects and lists of at most "+strconv.Itoa(maxWork)+
			" units in all (about 10 for each word and sign of a rule and twice that for each of its values, "+
			"5 for each instruction of a pattern, 30 for each subschema, 20 for each object, 300 for each claim header and each place of a token)")
	return false
}

// spend is afford for what asks by itself.
func (r *reader) spend(path string) rule.Spend {
	return func(units int) error {
		if !r.afford(path, units) {
			return errTooMuch
		}
		return nil
	}
}
