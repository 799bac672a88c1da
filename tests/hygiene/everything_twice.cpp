// Linked with two generated files that each include every header: a definition that is neither
// inline nor a template shows as a duplicate symbol.
int everything_1();
int everything_2();

int main() { return everything_1() + everything_2() == 3 ? 0 : 1; }
