package control

import (
	"cmp"
	"slices"
	"strings"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// longest is the length of a name for which others are suggested: the work is
// quadratic.
const longest = 200

// Nearest are the ids that somebody who wrote name may have meant, at most three:
// those whose last segment it is, else the closest spellings of the id or, for a
// name without a slash, of its last segment.
func Nearest(name string, ids []child.ID) []string {
	const most = 3
	if len(name) > longest {
		return nil
	}
	type found struct {
		id  string
		far int
	}
	var same []string
	var near []found
	for _, id := range ids {
		if strings.EqualFold(id.Name(), name) {
			same = append(same, string(id))
		}
		far, last := spelling(name, string(id)), spelling(name, id.Name())
		if !strings.Contains(name, "/") && last <= max(1, len(name)/4) {
			far = min(far, last)
		}
		if far <= max(2, len(name)/4) && far < min(len(name), len(id)) { // something must be alike
			near = append(near, found{string(id), far})
		}
	}
	if len(same) == 0 {
		slices.SortStableFunc(near, func(a, b found) int { return cmp.Compare(a.far, b.far) })
		for _, f := range near {
			same = append(same, f.id)
		}
	}
	return same[:min(most, len(same))]
}

// spelling is the distance of two words, whatever their case.
func spelling(a, b string) int { return distance(strings.ToLower(a), strings.ToLower(b)) }

// distance is the Levenshtein distance in bytes.
func distance(a, b string) int {
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
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
