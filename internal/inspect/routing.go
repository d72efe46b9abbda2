package inspect

import (
	"slices"
	"strings"
)

// reach is which requests a route gets, as far as its object says. The zero reach
// is all of them.
type reach struct {
	uris, hosts, methods []string
}

// reachOf reads a route. What has no uri is a part of one, which may get
// anything.
func (r *Report) reachOf(about *resource) reach {
	to := reach{
		uris:    texts(about.node, "uri", "uris"),
		hosts:   texts(about.node, "host", "hosts"),
		methods: texts(about.node, "methods"),
	}
	if id := about.node.string("service_id"); len(to.hosts) == 0 && id != "" {
		if service := r.resource("services", id); service != nil {
			to.hosts = texts(service.node, "hosts")
		}
	}
	return to
}

// texts are the texts of some members, each of which is one or a list.
func texts(n *node, names ...string) (all []string) {
	for _, name := range names {
		m := n.get(name)
		switch {
		case m == nil:
		case m.kind == text:
			all = append(all, m.text)
		case m.kind == list:
			for _, e := range m.elements {
				if e.kind == text {
					all = append(all, e.text)
				}
			}
		}
	}
	return all
}

// gets reports whether requests for a host and a path come to the route, by a
// method of theirs.
func (to reach) gets(host, path string) bool {
	return fits(to.uris, func(uri string) bool { return matchesURI(uri, path) }) &&
		fits(to.hosts, func(h string) bool { return matchesHost(h, host) })
}

// takes reports whether the route takes one of these methods.
func (to reach) takes(methods ...string) bool {
	return fits(to.methods, func(m string) bool { return slices.Contains(methods, m) })
}

// fits reports whether one of a list does; where there is no list, all do.
func fits(all []string, fit func(string) bool) bool {
	return len(all) == 0 || slices.ContainsFunc(all, fit)
}

// matchesURI is how APISIX's routers compare: whole paths, a prefix before a *
// at the end, and :name for a segment (radixtree_uri_with_parameter).
func matchesURI(pattern, path string) bool {
	prefix, open := strings.CutSuffix(pattern, "*")
	if !strings.Contains(pattern, "/:") {
		return pattern == path || open && strings.HasPrefix(path, prefix)
	}
	wanted, given := strings.Split(prefix, "/"), strings.Split(path, "/")
	if open && len(given) > len(wanted) {
		given = append(given[:len(wanted)-1:len(wanted)-1], strings.Join(given[len(wanted)-1:], "/"))
	}
	if len(wanted) != len(given) {
		return false
	}
	for i, segment := range wanted {
		switch last := i == len(wanted)-1; {
		case strings.HasPrefix(segment, ":") && given[i] != "":
		case open && last && strings.HasPrefix(given[i], segment):
		case segment != given[i]:
			return false
		}
	}
	return true
}

// matchesHost compares with a host or *.host, whatever the letters' case.
func matchesHost(pattern, host string) bool {
	pattern, host = strings.ToLower(pattern), strings.ToLower(host)
	if rest, wild := strings.CutPrefix(pattern, "*"); wild {
		return strings.HasSuffix(host, rest) && len(host) > len(rest)
	}
	return pattern == host
}
