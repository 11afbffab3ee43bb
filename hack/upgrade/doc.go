// Package upgrade builds the commit that hack/last-release names, lets it run fifty
// children, and puts this version in its place, and back: no child may notice. Its
// tests are the whole of it.
//
// The file names the newest release. A release changes it in its own commit; until
// then every commit is an upgrade of what users have.
package upgrade
