"""How far off a network is, measured on recordings it has not learned from: the error models of its predictors."""
