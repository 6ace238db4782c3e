package api

func (a *API) schemaRoutes() []Route { return nil }
