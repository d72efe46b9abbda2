// Package shiptest holds the tests of what others get from us: the archives of a
// release and the container images. It must not know how they are built; make
// release-snapshot and make image-check build them and say where they are.
package shiptest
