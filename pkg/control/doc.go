// Package control is the language of the control socket: what is said over HTTP
// and JSON on <state>/reconciler.sock, by whomever. Package server answers it,
// package client asks; openapi.yaml describes it for programs in other languages.
//
// The types are the bodies of requests and answers. Fields may be added to them;
// none is removed or changes its meaning.
package control
