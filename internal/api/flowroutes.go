package api

func (a *API) flowRoutes() []Route { return nil }
