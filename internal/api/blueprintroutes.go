package api

func (a *API) blueprintRoutes() []Route { return nil }
