package api

func (a *API) rbacRoutes() []Route { return nil }
