"""The frozen values that the stages hand to each other. Pure; every stage may import this."""
