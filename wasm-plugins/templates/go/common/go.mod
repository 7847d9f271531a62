module @ident@

go 1.24
