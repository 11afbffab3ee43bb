// Package requests keeps the children that were declared by request, through the
// control socket, as files of the state directory: the body as it was sent, one file
// each. So what a request means can be found anew whenever the manifests around it
// change, and after a restart. What it means is package desired's to say.
package requests
