// Collector reads the sensors of its node.
package main

func main() { select {} }
