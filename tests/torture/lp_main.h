/* lp_main.h — the program as a function: src/main.c compiled under another name. */
int lp_main(int argc, char **argv);
