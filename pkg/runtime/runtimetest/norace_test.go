//go:build !race

package runtimetest

const defaultSeeds = 10_000
