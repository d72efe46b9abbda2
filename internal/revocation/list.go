package revocation

import "sync"

// maxIssuers is how many issuers lists can name.
const maxIssuers = 10_000

// issuers are the names that entries have in common.
type issuers struct {
	mu     sync.Mutex
	names  []string // the first is ""
	number map[string]uint32
}

// List is a page of the entries that are live, in the order of their IDs, from
// the one after a given one on; nil is the beginning.
func (s *Set) List(after *ID, atMost int) (page []Entry) {
	s.each(after, func(id ID, st state) bool {
		if st.live {
			page = append(page, s.entry(id, st))
		}
		return len(page) < atMost
	})
	return page
}

func (n *issuers) intern(name string) uint32 {
	n.mu.Lock()
	defer n.mu.Unlock()
	if number, there := n.number[name]; there || name == "" {
		return number
	}
	if len(n.names) >= maxIssuers {
		return 0
	}
	number := uint32(len(n.names))
	n.names, n.number[name] = append(n.names, name), number
	return number
}

func (n *issuers) name(number uint32) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.names[number]
}
