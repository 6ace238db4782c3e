package api

func (a *API) adminRoutes() []Route { return nil }
