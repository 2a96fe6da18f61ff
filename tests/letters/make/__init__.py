"""The program that makes the letters of the zoo again; see ../README.md."""
