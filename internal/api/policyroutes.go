package api

func (a *API) policyRoutes() []Route { return nil }
