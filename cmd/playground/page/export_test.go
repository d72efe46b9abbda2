package page

// Challenges reads a WWW-Authenticate header apart.
func Challenges(header string) (list []string) {
	for _, c := range challenges(header) {
		said := c.Scheme
		for _, p := range c.Params {
			said += " " + p[0] + "=" + p[1] + ";"
		}
		list = append(list, said)
	}
	return list
}
