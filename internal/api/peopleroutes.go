package api

func (a *API) peopleRoutes() []Route { return nil }
