package auth0jwt

import (
	"net/http"
	"reflect"
	"unsafe"

	pkgHTTP "github.com/apache/apisix-go-plugin-runner/pkg/http"
)

// The official runner's request, and the field with the headers it received.
// It compares this copy with the map that plugins changed, to find what to send
// to APISIX. Nothing of its public interface shows or changes the copy.
const (
	officialPackage = "github.com/apache/apisix-go-plugin-runner/internal/http"
	officialType    = "Request"
	officialField   = "rawHdr"
)

// received is the official runner's own copy of a request's headers, made
// before the first plugin saw them, or nil where r is another runner's request,
// or one of a release that keeps the copy elsewhere. Package, type, field and
// the field's type are compared before anything is read, and the request
// belongs to the caller's goroutine alone. r.Header() must have been called:
// the copy of a request before this one stands there until then.
//
// Without unsafe the copy can be read, but not changed, and a client that sends
// the right value and then another could keep both.
func received(r pkgHTTP.Request) http.Header {
	v := reflect.ValueOf(r)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return nil
	}
	v = v.Elem()
	if v.Type().PkgPath() != officialPackage || v.Type().Name() != officialType {
		return nil
	}
	field := v.FieldByName(officialField)
	if !field.IsValid() || field.Type() != reflect.TypeFor[http.Header]() {
		return nil
	}
	return *(*http.Header)(unsafe.Pointer(field.UnsafeAddr()))
}
