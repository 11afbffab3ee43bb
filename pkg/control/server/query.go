package server

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// query is the query of a request, with the first thing that is wrong with it.
type query struct {
	values url.Values
	err    error
}

// readQuery refuses parameters that a route does not know: one that is ignored in
// silence is worse than an error.
func readQuery(r *http.Request, known ...string) *query {
	values, err := url.ParseQuery(r.URL.RawQuery)
	q := &query{values: values}
	if err != nil {
		q.fail("", "the query cannot be read: "+err.Error())
	}
	for name := range values {
		if !slices.Contains(known, name) {
			q.fail(name, fmt.Sprintf("there is no parameter %.40q; known are: %s", name, strings.Join(known, ", ")))
		}
	}
	return q
}

func (q *query) fail(field, message string) {
	if q.err == nil {
		q.err = invalid(field, message)
	}
}

func (q *query) text(name string) string {
	all := q.values[name]
	if len(all) > 1 {
		q.fail(name, name+" stands there twice")
	}
	return q.values.Get(name)
}

// flag is true for ?name, ?name=true and ?name=1.
func (q *query) flag(name string) bool {
	if !q.values.Has(name) {
		return false
	}
	text := q.text(name)
	if text == "" {
		return true
	}
	on, err := strconv.ParseBool(text)
	if err != nil {
		q.fail(name, fmt.Sprintf("%s=%.40s: want true or false", name, text))
	}
	return on
}

// count is a number from 0; 0 if it is not there.
func (q *query) count(name string) int {
	text := q.text(name)
	if text == "" {
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 1_000_000 {
		q.fail(name, fmt.Sprintf("%s=%.40s: want a number from 0 to 1000000", name, text))
	}
	return n
}
