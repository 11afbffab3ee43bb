//go:build race

package runtimetest

const defaultSeeds = 1_000
