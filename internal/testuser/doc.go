// Package testuser runs a test, or a program of a test, as the user nobody. Tests
// run as root in CI, and root may do everything: what is forbidden to others can
// only be seen by another. It is for tests only.
package testuser
