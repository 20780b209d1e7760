"""How sure a mean or a difference is: variance components, moderation, contrasts with a centre, corrected p values."""
