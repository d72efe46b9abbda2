package rule

// CostLimit is what an evaluation may cost.
const CostLimit = costLimit

// ValidationLimit is what a validation may cost.
const ValidationLimit = validationLimit

// Cost is what an evaluation costs that is not over the limit.
func Cost(e *Expression, f *Facts) (uint64, error) {
	_, details, err := e.program.Eval(f)
	if details == nil || details.ActualCost() == nil {
		return 0, err
	}
	return *details.ActualCost(), err
}

// Unpriced are the functions of expressions whose work nobody looked at.
func Unpriced() (names []string) {
	env, err := newEnvironment()
	if err != nil {
		panic(err)
	}
	for name := range env.Functions() {
		if _, known := works[name]; !known {
			names = append(names, name)
		}
	}
	return names
}

// SchemaWork is what validating claims takes, or something beyond the limit.
func SchemaWork(s *Schema, claims map[string]any) int64 {
	w := &validation{schema: s, left: validationLimit}
	w.apply(s.schema, claims, position{})
	return validationLimit - w.left
}
