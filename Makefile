# Each target is one line that calls Go or a script of hack/.
.PHONY: build run test lint fuzz sim bench man attack mutants vuln api

# Root may not look into the repository of another user, whose revision go would stamp.
build: ; CGO_ENABLED=0 go build $(if $(shell git rev-parse HEAD 2>/dev/null),,-buildvcs=false) -trimpath -ldflags="-s -w" -o bin/reconciler ./cmd/reconciler

run: build ; bin/reconciler run --manifests manifests --status status --state .reconciler $(if $(SUDO_USER),--manifests-owner $(SUDO_USER))

test: ; hack/test

lint: ; hack/lint

fuzz: ; hack/fuzz

sim: ; hack/sim

bench: ; hack/bench

man: build ; bin/reconciler docs man bin/man1

attack: ; hack/attack

mutants: ; hack/mutants

vuln: ; hack/vuln

api: ; hack/api
