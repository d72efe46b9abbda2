package dpop

import "testing"

func TestSameURL(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		same bool
	}{
		{"https://a.example/x", "https://a.example/x", true},
		{"https://a.example", "https://a.example/", true},
		{"https://a.example/x?q=1", "https://a.example/x?q=2#f", true},
		{"HTTPS://A.Example:443/x", "https://a.example/x", true},
		{"http://a.example:80/x", "http://a.example/x", true},
		{"http://a.example:443/x", "http://a.example/x", false},
		{"https://a.example/a/./b/../c", "https://a.example/a/c", true},
		{"https://a.example/a/..", "https://a.example/", true},
		{"https://a.example/../../a", "https://a.example/a", true},
		{"https://a.example/a/", "https://a.example/a", false},
		{"https://a.example/a//b", "https://a.example/a/b", false},
		{"https://a.example/%7euser", "https://a.example/~user", true},
		{"https://a.example/%c3%a9", "https://a.example/%C3%A9", true},
		{"https://a.example/é", "https://a.example/%C3%A9", true},
		{"https://a.example/a%2Fb", "https://a.example/a/b", false},
		{"https://a.example/A", "https://a.example/a", false},
		{"https://[::1]:443/x", "https://[::1]/x", true},
		{"https://a.example/%zz", "https://a.example/%zz", false},
		{"ftp://a.example/x", "ftp://a.example/x", false},
		{"https://u@a.example/x", "https://u@a.example/x", false},
		{"", "", false},
		{"/x", "/x", false},
	} {
		if got := sameURL(tt.a, tt.b); got != tt.same || sameURL(tt.b, tt.a) != tt.same {
			t.Errorf("%q and %q: %v", tt.a, tt.b, got)
		}
	}
}
