package api

func (a *API) applicationRoutes() []Route { return nil }
