package main

// Main lets the scripts call the program.
var Main = main
