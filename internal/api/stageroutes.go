package api

func (a *API) stageRoutes() []Route { return nil }
