package config

import "strings"

// nearest is the known key that an unknown one was most likely meant to be,
// or "" when none is near.
func nearest(unknown string, known []string) string {
	best, distance := "", len(unknown)/3+1
	if len(unknown) > 40 {
		return ""
	}
	folded := strings.ReplaceAll(strings.ToLower(unknown), "-", "_")
	for _, k := range known {
		if d := editDistance(folded, k); d < distance {
			best, distance = k, d
		}
	}
	return best
}

// editDistance is the Levenshtein distance in bytes.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}

// Nearest is the known name that an unknown one was most likely meant to be, or
// "" where none is near. Known names are in small letters with _ for -.
func Nearest(unknown string, known []string) string { return nearest(unknown, known) }
