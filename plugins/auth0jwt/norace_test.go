//go:build !race

package auth0jwt_test

const underRace = false
