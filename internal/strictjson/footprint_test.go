package strictjson_test

import (
	"runtime"
	"strings"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/strictjson"
)

func TestFootprintIsAboutWhatAValueTakes(t *testing.T) {
	many := func(element string, n int) string {
		return "[" + strings.TrimSuffix(strings.Repeat(element+",", n), ",") + "]"
	}
	for name, document := range map[string]string{
		"empty objects":       many("{}", 5000),
		"empty lists":         many("[]", 5000),
		"nested lists":        many("[[[1]]]", 1000),
		"small objects":       many(`{"a":1}`, 2000),
		"a long string":       many(`"`+strings.Repeat("x", 16_000)+`"`, 4),
		"strings":             many(`"abcdefghijkl"`, 1000),
		"empty strings":       many(`""`, 5000),
		"numbers":             many("7", 8000),
		"long numbers":        many(strings.Repeat("7", 100), 150),
		"nulls":               many("null", 3000),
		"an object of 8":      many(`{"a":0,"b":0,"c":0,"d":0,"e":0,"f":0,"g":0,"h":0}`, 300),
		"an object of 9":      many(`{"a":0,"b":0,"c":0,"d":0,"e":0,"f":0,"g":0,"h":0,"i":0}`, 300),
		"an object of many":   "{" + members(1500) + "}",
		"long names":          many(`{"`+strings.Repeat("n", 900)+`":null}`, 16),
		"a usual claims set":  many(`{"iss":"https://tenant.eu.auth0.com/","sub":"auth0|5f7c8ec7c33c6c004bbafe82","aud":["https://api.example.com/"],"iat":1800000000,"exp":1800086400,"scope":"read:orders write:orders","permissions":["read:orders"]}`, 60),
		"a list of one place": many(`[null]`, 3000),
	} {
		t.Run(name, func(t *testing.T) {
			const copies = 20
			values := make([]any, copies)
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			for i := range values {
				v, err := strictjson.Parse([]byte(document), strictjson.Options{})
				if err != nil {
					t.Fatal(err)
				}
				values[i] = v
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			taken := float64(after.HeapAlloc-before.HeapAlloc) / copies
			counted := float64(strictjson.Footprint(values[0]))
			runtime.KeepAlive(values)
			if ratio := counted / taken; ratio < 0.75 || ratio > 1.6 {
				t.Errorf("takes %.0f bytes, counted %.0f (%.2f)", taken, counted, ratio)
			}
		})
	}
}

// members are n members of an object with different names.
func members(n int) string {
	names := make([]string, n)
	for i := range names {
		names[i] = `"m` + string(rune('A'+i%26)) + string(rune('A'+i/26%26)) + string(rune('A'+i/676)) + `":null`
	}
	return strings.Join(names, ",")
}
