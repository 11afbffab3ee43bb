// Package docs holds pages that programs read too: what is promised stands in one
// place, and the tests that check it read it there.
package docs

import _ "embed"

// Semantics is the page that says what every command does in every state.
//
//go:embed semantics.md
var Semantics string
